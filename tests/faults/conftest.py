"""Faults, and the tests that show that they cost time alone.

Each asserts that the fault did happen, that the outputs are those of an undisturbed run bit for
bit, and that each stands once. Folders are those of `tests`.

==========================================  ======================================================
a worker that is killed (kill -9)           faults/test_worker_faults
a task that always kills its worker         faults/test_worker_faults, compute/test_slurm,
                                            compute/test_slurm_engine
a worker whose memory stays full            faults/test_worker_faults
a scheduler that dies                       faults/test_worker_faults
a task over its memory                      faults/test_worker_faults, faults/test_slurm_faults
a job taken back in the middle (scancel)    compute/test_slurm
a walltime shorter than the work            faults/test_worker_faults, faults/test_slurm_faults
a queue that does not answer                compute/test_keeper, compute/test_slurm_commands
a driver that is killed, and a rerun        faults/test_driver_faults, pipeline/test_chain_faults
a driver of job arrays that is killed       faults/test_array_faults
a controller of Slurm that is away          compute/test_slurm_array
nodes where no job starts                   compute/test_slurm_array
two drivers at once                         faults/test_driver_faults, pipeline/test_chain_faults
a full disk, a read-only one                faults/test_driver_faults
an output cut off under its receipt         faults/test_driver_faults, pipeline/test_status
a receipt cut in half                       faults/test_driver_faults
clocks of machines that differ              faults/test_driver_faults
an end (SIGTERM) in the middle of a write   faults/test_driver_faults
==========================================  ======================================================
"""
