"""Files that are there whole or not at all: what the other scripts here write."""

import contextlib
import os
import pathlib
import sys


@contextlib.contextmanager
def written_whole(path):
    """Gives the name to write to, and renames it in the end. Exit code 6, with the reason, if that cannot be done."""
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        print(f"{path}: cannot write: {error.strerror or error}", file=sys.stderr)
        sys.exit(6)
    finally:
        temporary.unlink(missing_ok=True)
