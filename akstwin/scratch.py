"""Temporary folders."""

import os
from contextlib import suppress
from pathlib import Path


def remove(folder: Path) -> None:
    """Remove a folder and all that is in it, however deep; what cannot be removed stays.

    `shutil.rmtree` holds a descriptor and a frame for each level, and a thousand levels are more than either allows.
    """
    folders, found = [str(folder)], 0
    while found < len(folders):
        with suppress(OSError):
            os.chmod(folders[found], 0o700)  # noqa: PTH101 - see below; what was in it may have taken our rights away
        with suppress(OSError), os.scandir(folders[found]) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    with suppress(OSError):
                        os.unlink(entry.path)  # noqa: PTH108 - a path object for each file takes longer than its end
        found += 1
    for path in reversed(folders):
        with suppress(OSError):
            os.rmdir(path)  # noqa: PTH106 - see above
