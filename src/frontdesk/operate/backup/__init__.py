"""Backups: a dated folder of sealed pieces under a sealed manifest, and the way back into empty stores.

`creating` makes one, `checking` reads one to its last byte, `restoring` brings one back, `retention` says which go.
`shelves` and `s3` are where they lie; `sqlite` and `postgres` the databases that they are of; `folder` the desk's home.
"""
