package kernel

const roleVictim = "victim"

func victim() int { return 0 }
