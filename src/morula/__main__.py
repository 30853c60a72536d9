"""`python -m morula` is the same as `morula`."""

from morula.cli.app import main

if __name__ == "__main__":
    main()
