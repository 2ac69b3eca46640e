// Package drive looks after the drive that both machines of a pair share: the
// place of a node's journal.
//
//	/etc/fstab --> mount --> marker --> link from the base directory --> the node's files
//	  Line,          Serving,  Marker     Link, Move
//	  Fstab          Judge
//
// It writes the line for /etc/fstab ([Line], [Fstab]), finds out which mount really
// serves a directory ([ParseMounts], [Serving]), judges type, source and options of it
// ([Judge], [JudgeEntry]), tells one drive from another by a marker with a random id
// ([Marker]), links the node's directory to it without ever hiding data ([Link], [Move]),
// measures it ([Bench], [DrillHold], [DrillWait]), says all of it at once ([Check]), and
// watches it while an agent runs ([Watch]).
//
// # What a lock on a drive means
//
// A hot agent keeps an OFD lock on a file of its own (hotcold.lock), and says in
// another one (hotcold.holder) who it is, with its epoch. A lock that is held elsewhere
// is evidence and never a veto: the lease decides who runs. A drive gives a dead
// machine's lock up late (measured: NFS 4.1 with a lease of 10 s after 13 s, SMB not
// within minutes where the server does not look for dead peers), so waiting for it
// would keep the node down for nothing; and a lock that was had proves little, because
// neither NFS nor SMB stops a machine that lost its lock from writing to files which
// it has not locked, the journal among them. What is found about it is told.
//
// EACCES and EAGAIN both mean that a lock is held: SMB has the first, NFS the second.
// SMB locks are mandatory, so nothing is ever kept in the locked file itself.
//
// # A drive that hangs
//
// A call to a dead drive may block in the kernel for ever, and nothing frees the thread.
// [Watch] therefore looks in a child process, which is killed and left behind when it
// does not answer in time, and leaves at most [MaxAbandoned] of them. All other
// functions that touch a drive may block; [Check] leaves one goroutine behind then.
//
// # Errors
//
// Judgements are [Finding] values, each with its next step, and not errors. An error
// means that something could not be done, in one sentence.
//
// The options and what they do are from the manual pages mount.cifs(8) and nfs(5) and
// the makers' own pages on Azure Files and EFS; the times were measured on Linux 6.1
// against Samba 4.17 and NFS-Ganesha 4.3, as the tests in e2e/drive do.
package drive
