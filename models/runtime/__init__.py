"""What the networks run in: Keras with TensorFlow (on a GPU, and to learn), or OpenVINO on a CPU.

Weights are kept once, as safetensors files. OpenVINO runs graphs that are derived from them, compared with the network
that they come from, and kept in a cache; a process that runs them imports neither TensorFlow nor Keras.

===================  ===========================================================================
``choice``           which runtime is taken where
``openvino_start``   loads OpenVINO, without its telemetry
``precision``        how exactly OpenVINO counts
``session``          a graph, compiled and ready to run
``memory``           memory that compiling has used, back to the system
``export_files``     exported graphs as a folder that tells whether it is whole
``cache``            the export of a weights file: the one that is there, or a new one
``quantised``        exports that were quantised to 8 bits, an option
``export``           makes exports, and is the process that does
``conversion``       functions of Keras as graphs
``equality``         how far an export may answer otherwise, and the pictures that ask it
===================  ===========================================================================
"""
