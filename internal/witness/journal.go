package witness

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// ID names one write. It is made of letters, digits, dots, dashes and
// underscores, at most 64 of them.
type ID string

// names is the form of an ID and of an instance's name: one word of a line.
var names = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// lineLimitBytes bounds a line of the journal and of the protocols. The
// longest that a witness writes has less than 200 bytes.
const lineLimitBytes = 512

// StaleEpochError says that the journal has seen a later epoch than ours:
// somebody else has been made the node since we were.
type StaleEpochError struct{ Have, Seen int64 }

// Error tells both epochs.
func (e *StaleEpochError) Error() string {
	return fmt.Sprintf("epoch %d is over: the journal has seen epoch %d", e.Have, e.Seen)
}

// entry is one write in the journal.
type entry struct {
	epoch    int64
	instance string
	pid      int
	id       ID
}

func (e entry) line() string {
	body := fmt.Sprintf("%d %s %d %s", e.epoch, e.instance, e.pid, e.id)
	return fmt.Sprintf("%s %08x\n", body, crc32.ChecksumIEEE([]byte(body)))
}

// parseEntry reads a line without its end; false means torn.
func parseEntry(line string) (entry, bool) {
	f := strings.Split(line, " ")
	if len(f) != 5 {
		return entry{}, false
	}
	epoch, errEpoch := strconv.ParseInt(f[0], 10, 64)
	pid, errPID := strconv.Atoi(f[2])
	e := entry{epoch, f[1], pid, ID(f[3])}
	// Written out again, it has to be the same: this checks the sum as well.
	if errEpoch != nil || errPID != nil || e.line() != line+"\n" {
		return entry{}, false
	}
	return e, true
}

// tally is what reading a journal counts beside its entries.
type tally struct {
	torn int  // lines that a crash cut short
	open bool // the last line has no end
}

// readJournal calls each for all whole lines in their order. A journal that
// does not exist is empty.
func readJournal(path string, each func(entry)) (tally, error) {
	var t tally
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return t, fmt.Errorf("open the journal: %w", err)
	}
	defer f.Close()
	for r := bufio.NewReaderSize(f, 64<<10); ; {
		line, err := r.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return t, fmt.Errorf("read the journal: %w", err)
		}
		whole := err == nil
		if e, ok := parseEntry(strings.TrimSuffix(line, "\n")); ok && whole {
			each(e)
		} else if line != "" {
			t.torn++
		}
		if !whole {
			t.open = line != ""
			return t, nil
		}
	}
}

// journal is the file being appended to. One goroutine owns it.
type journal struct {
	file *os.File
	have map[ID]struct{}
	torn int
	mend bool // the last line has no end yet
}

// openJournal reads what is there and checks the epoch.
func openJournal(path string, epoch int64) (*journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the journal: %w", err)
	}
	j := &journal{have: map[ID]struct{}{}}
	greatest := int64(0)
	t, err := readJournal(path, func(e entry) {
		j.have[e.id] = struct{}{}
		greatest = max(greatest, e.epoch)
	})
	if err != nil {
		return nil, err
	}
	if epoch < greatest {
		return nil, &StaleEpochError{Have: epoch, Seen: greatest}
	}
	j.torn, j.mend = t.torn, t.open
	// O_APPEND: should two write at once, both must stay readable to convict us.
	j.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	return j, nil
}

// append makes the entries durable, leaving out those that are there already.
// After an error the journal is not to be used again: what a failed fsync
// left behind cannot be known.
func (j *journal) append(entries []entry) error {
	var lines strings.Builder
	if j.mend {
		lines.WriteByte('\n')
	}
	fresh := 0
	for _, e := range entries {
		if _, ok := j.have[e.id]; ok {
			continue
		}
		j.have[e.id] = struct{}{}
		fresh++
		lines.WriteString(e.line())
	}
	if fresh == 0 {
		return nil
	}
	if _, err := j.file.WriteString(lines.String()); err != nil {
		return fmt.Errorf("append to the journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("sync the journal: %w", err)
	}
	j.mend = false
	return nil
}
