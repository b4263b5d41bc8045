"""Films: any moving content. Its frames, their motion, and its cuts."""
