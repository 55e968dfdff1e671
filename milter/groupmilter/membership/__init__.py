"""Groups as people change them, whichever way they come: panel, command line, mail.

One service (`service`) over the directory's writer; addresses and words of people in, values of the directory out. It
knows no moderation and no pages: the journal is a function that it is given.
"""
