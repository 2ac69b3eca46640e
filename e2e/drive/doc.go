// Package drive tests the built program on real network file systems. It has no code
// of its own.
//
// Two user-mode Linux guests stand for the two machines: real kernels with their own
// NFS 4.1 and SMB 3 clients, on a bridge in a network namespace of the test. Beside
// them run NFS-Ganesha and Samba, and a relay to a PostgreSQL that keeps the lease. A
// guest loses its power (its processes are killed), freezes (SIGSTOP to its kernel), or
// is cut off (its tap leaves the bridge). Where the file system is a program, cells stand for
// machines: namespaces on this kernel. GlusterFS, server and clients, runs in them; sshfs is
// mounted on the machine itself.
//
// docs/two-machines.md is run, block by block, on two guests whose first process is a systemd.
//
// All of it needs root, Linux, and packages that scripts/test-deps.sh brings.
package drive
