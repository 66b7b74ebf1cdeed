"""Reports of several sessions together: read back, compared, merged."""
