"""Reads folders of pictures, one folder a class."""

from pathlib import Path

from tqdm import tqdm

from models.data.annotated import AnnotatedPicture
from models.data.readers.picture_files import picture_hw, pictures_below
from models.errors import DataSetError


def read_folders(path: Path) -> list[AnnotatedPicture]:
    """Every picture below the folders of ``path``; the first folder's name is its ``image_label``.

    Raises ``DataSetError`` when there is no such folder or picture, or one cannot be decoded.
    """
    if not path.is_dir():
        raise DataSetError(f"{path}: is no folder")
    files = [file for file in pictures_below(path) if file.parent != path]
    if not files:
        raise DataSetError(f"{path}: there is no folder with pictures in it")
    return [
        AnnotatedPicture(
            file,
            picture_hw(file, origin=path),
            (),
            image_label=file.relative_to(path).parts[0],
        )
        for file in tqdm(files, desc="sizes of pictures", unit="picture", leave=False, disable=None)
    ]
