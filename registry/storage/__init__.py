"""Where things are kept: content files on volumes, rows in one SQLite database, rendered indexes in memory.

    database = Database.open(data / "registry.db")      checks, migrates, starts the writer
    volume = Volume(root, database); await volume.start()
    Blobs, Documents, Warehouse     over a volume
    Catalogue, ProvenanceLog, Refusals, PolicyStore, Accounts and the rest    over the database
    Shelf, ShelfFiles               in memory, and on the local disk

Each implements the port of its name in `model/ports/`. The order of an ingest, which a crash at any point
leaves consistent: temp file, fsync, rename, fsync of the directory, commit of the row, last bytes.

Belongs here: system calls on volumes, SQL, and nothing else; `apsw` is named in this folder only. A change
of any table appends its event to the log within the same transaction.
"""
