"""A labelled picture as it is looked at."""

from models.data.annotated import AnnotatedPicture
from models.errors import DataSetError
from models.pictures import ArrayPicture, read_picture


def read_labelled(labelled: AnnotatedPicture) -> ArrayPicture:
    """The picture of the labels. Raises ``PictureError`` when it cannot be read, ``DataSetError`` when it is not as
    large as its labels say: their boxes would lie elsewhere."""
    picture = read_picture(labelled.path)
    if picture.image_hw != labelled.image_hw:
        raise DataSetError(
            f"{labelled.path}: is {picture.image_hw} pixels (height, width), its labels say {labelled.image_hw}"
        )
    return picture
