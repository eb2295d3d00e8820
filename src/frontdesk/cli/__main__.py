"""`python -m frontdesk.cli` is `frontdesk`."""

from frontdesk.cli.main import main

if __name__ == "__main__":
    main()
