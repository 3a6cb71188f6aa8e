"""Files of Keras -> structure and weights of a model, read as plain data."""
