"""The gallery: a page of all results, `outbox/index.html`, opened from disk or from a server.

Everything in `outbox/gallery` is derived from the records, and may be deleted at any time:

list.js         the list of pages
pages/N.js      some hundred entries each: what a list shows of a result or failure
jobs/ID.js      the details of one result or failure
now.js, now/    the waiting and running jobs, and previews of these

A page that is opened from disk cannot read JSON files, but it can load scripts, so each file is a
script that calls a function with the data.
"""

from nstd.outbox.gallery.updater import Gallery

__all__ = ["Gallery"]
