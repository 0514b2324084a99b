"""A real training run to look at: dates as people write them → ISO 8601."""
