"""Files of every kind -> rows of text, one after another."""
