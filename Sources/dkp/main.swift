print("dkp")
