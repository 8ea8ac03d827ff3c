"""What ``ppewatch train`` hands its arguments to: a module a network, which loads TensorFlow only once it has work."""
