"""Mask R-CNN (He et al. 2017, arXiv:1703.06870): what is where in a picture, to the pixel.

==================  ========================================================================
``config``          what distinguishes one network from another
``layers``          convolutions with batch norm, free or folded in
``backbones``       pictures to feature maps
``pyramid``         feature maps to pyramid levels P2 to P6
``rpn``             levels to objectness and box deltas of every anchor
``anchors``         where the anchors lie, from the backbone's own strides
``boxes``           boxes as deltas, and back
``suppression``     non-maximum suppression of static shape
``proposals``       anchors to the boxes worth a second look
``roi_align``       boxes to features of one size
``heads``           features of a box to class, finer box and pixels
``detections``      proposals to detections
``network``         the composition
``pasting``         28 x 28 pixels of a box to pixels of the picture
``keras_finder``    the network run in Keras
``export``          the network as graphs of OpenVINO
``host_stages``     what lies between the graphs, in numpy
``graph_finder``    the graphs run in OpenVINO
``detector``        ready to run on pictures of any size
==================  ========================================================================
"""
