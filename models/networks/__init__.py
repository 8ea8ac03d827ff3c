"""What the networks share: boxes and anchors, folding of batch norms, compilation."""
