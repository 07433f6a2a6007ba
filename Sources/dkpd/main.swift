print("dkpd")
