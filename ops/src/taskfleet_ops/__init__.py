"""Operations of taskfleet: command line, demo."""
