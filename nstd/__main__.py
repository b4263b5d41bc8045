"""`python -m nstd` is the command `nstd`."""

from nstd.cli import main

if __name__ == "__main__":
    main()
