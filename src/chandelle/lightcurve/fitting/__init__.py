"""The fit of SALT to light curves: what is fitted, first guess, descent, refits."""
