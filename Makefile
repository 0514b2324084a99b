proto:
	true
