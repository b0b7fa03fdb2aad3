"""What the shell commands say of compiled programs."""


def fit_step(what: str) -> str:
    """Say of a step that fits light curves that it compiles first, where it does."""
    from chandelle.core.compiled import has_machine_code

    return what if has_machine_code("fit_targets") else f"{what}, compiling first (once)"
