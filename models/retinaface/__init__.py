"""RetinaFace: faces with five landmarks in one pass, at any input size that is a multiple of 32.

Deng et al., "RetinaFace: Single-stage Dense Face Localisation in the Wild" (2019, arXiv:1905.00641), in the
form of the published PyTorch implementation (biubug6/Pytorch_Retinaface), whose weights can be imported.
Pure Keras 3: the same code and weights run on the TensorFlow and the JAX backend and compile with XLA.

``backbones`` -> ``fpn`` -> ``ssh`` -> ``heads`` make the ``network``; ``anchors`` and ``boxes`` turn what
it says into boxes, ``nms`` thins them out, ``detector`` does it all for a batch of pictures.
"""

from models.retinaface.config import RetinaFaceConfig
from models.retinaface.faces import Faces

__all__ = ["Faces", "RetinaFaceConfig"]
