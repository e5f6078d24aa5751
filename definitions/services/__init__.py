"""What nodes reach beyond their run: the web, files, shells, mail, brokers."""
