"""`python -m condensity.cli`."""

from condensity.cli import main

if __name__ == "__main__":
    main()
