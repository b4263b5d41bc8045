"""`nstd bench film`: how much the frames of a film flicker, and what one takes.

Scenes whose motion is known are made as a film and frame by frame, and the frames are compared with
those before them, moved by the true motion.
"""
