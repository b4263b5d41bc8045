"""The network `student`: trained to predict the features of VGG-19 from those of `fixed`.

`python -m tests.making.student` trains it and packs what it learned; see `__main__`.
"""
