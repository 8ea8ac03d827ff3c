"""How a face mask is worn, told from crops of faces."""
