"""Who got what: the log's hash chain and the reports made from it. Pure: no files, no clock, no database."""
