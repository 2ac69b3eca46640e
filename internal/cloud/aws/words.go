package aws

// nfsPort is where an EFS file system is mounted from.
const nfsPort = 2049

// groupWhy returns what the security groups of balancers, machines and drive are for.
func groupWhy() [3]string {
	return [3]string{"clients reach the balancers", "the balancers reach the machines", "the machines reach the drive"}
}
