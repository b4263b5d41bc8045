"""The gallery: a page of all results, `outbox/index.html`, that works from a disk as from a server.

Everything in `outbox/gallery` is derived from the records, and may be deleted at any time:

    list.js         which pages there are
    pages/N.js      some hundred entries each: what a list needs to know of a result or failure
    jobs/ID.js      what else there is to know of one
    now.js, now/    what waits and runs, and previews of that

Pages in a browser cannot read JSON from a disk, but they can load scripts; so each is a call.
"""

from nstd.outbox.gallery.upkeep import Gallery

__all__ = ["Gallery"]
