package drive

import (
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// faulty is a drive that fails or hangs when it is told to: a FUSE file system over a
// folder. The kernel and its clients are the real ones.
type faulty struct {
	fuse.RawFileSystem
	mu     sync.Mutex // guards all below
	hang   chan struct{}
	status fuse.Status
}

// set makes every call from now on hang, fail, or neither.
func (f *faulty) set(hang bool, status fuse.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hang != nil {
		close(f.hang)
		f.hang = nil
	}
	if hang {
		f.hang = make(chan struct{})
	}
	f.status = status
}

// gate holds a call up, and says how it ends.
func (f *faulty) gate(cancel <-chan struct{}) fuse.Status {
	f.mu.Lock()
	hang, status := f.hang, f.status
	f.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-cancel: // who asked was killed
			return fuse.EINTR
		}
	}
	return status
}

func (f *faulty) Lookup(c <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if s := f.gate(c); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.Lookup(c, h, name, out)
}

func (f *faulty) GetAttr(c <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	if s := f.gate(c); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.GetAttr(c, in, out)
}

func (f *faulty) Open(c <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s := f.gate(c); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.Open(c, in, out)
}

func (f *faulty) Write(c <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	if s := f.gate(c); s != fuse.OK {
		return 0, s
	}
	return f.RawFileSystem.Write(c, in, data)
}

func (f *faulty) Fsync(c <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	if s := f.gate(c); s != fuse.OK {
		return s
	}
	return f.RawFileSystem.Fsync(c, in)
}

// newFaulty mounts one and returns its directory, and the folder behind it.
func newFaulty(t *testing.T) (f *faulty, dir, behind string) {
	t.Helper()
	dir, behind = t.TempDir(), t.TempDir()
	root, err := fs.NewLoopbackRoot(behind)
	if err != nil {
		t.Fatal(err)
	}
	f = &faulty{RawFileSystem: fs.NewNodeFS(root, &fs.Options{})}
	server, err := fuse.NewServer(f, dir, &fuse.MountOptions{DirectMountStrict: true, FsName: "srv:/faulty", Name: "faulty"})
	if err != nil {
		if os.Getenv("CI") != "" || os.Getenv("HOTCOLD_CI") != "" {
			t.Fatalf("no FUSE may be mounted here (root, /dev/fuse): %v", err)
		}
		t.Skipf("no FUSE may be mounted here (root, /dev/fuse): %v", err)
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.set(false, fuse.OK)
		if err := server.Unmount(); err != nil {
			t.Errorf("unmount: %v", err)
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
	})
	return f, dir, behind
}
