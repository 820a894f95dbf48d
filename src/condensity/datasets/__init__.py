"""Problems with a known conditional density, and tables from files."""
