package kernel

import "time"

// verdict is what becomes of the connections.
type verdict struct {
	cut, idle, again, forget []flow
	open, old                map[uint8]int
	empty                    []uint8 // rules that are gone, and whose last connection is over
	next                     time.Duration
}

// judge decides, and keeps the books. What was in force before the flows were read matters for two things: a rule that
// was gone by then, and has none among them, will never have one again; and only of a mark that was cut by then is it
// known that nothing has passed since its flows were read.
func (s *sweeper) judge(before, v *view, flows []flow, now time.Duration) verdict {
	d := verdict{open: map[uint8]int{}, old: map[uint8]int{}, next: never}
	there, used := map[key]bool{}, map[uint8]bool{}
	for _, f := range flows {
		r := v.rules[ruleOf(f.mark)]
		if r == nil || !f.cameTo(r.Rule) {
			continue
		}
		k := f.key()
		there[k], used[r.id] = true, true
		if _, known := s.seen[k]; !known {
			s.seen[k] = sighting{first: now}
		}
		if _, alive := r.live[f.mark]; alive {
			s.alive(&d, v, r, f, now)
		} else {
			s.dying(&d, r, f, now, before.cut(r.id, f.mark))
		}
	}
	for k := range s.seen {
		if !there[k] {
			delete(s.seen, k)
			delete(s.ending, k)
		}
	}
	for _, r := range v.rules {
		if r.IdleTimeout > 0 {
			d.next = min(d.next, idlePeriod(r.IdleTimeout))
		}
		if now-r.latestEnd() < settled {
			d.next = min(d.next, repeat)
		}
		for _, until := range r.live {
			if until > 0 {
				d.next = min(d.next, max(0, until-now))
			}
		}
		switch b := before.rules[r.id]; {
		case !r.gone || used[r.id]:
		case b != nil && b.gone:
			d.empty = append(d.empty, r.id)
		default:
			d.next = min(d.next, repeat)
		}
	}
	return d
}

// alive looks at a connection that may live: is it silent? The kernel leaves out what is less than a second.
func (s *sweeper) alive(d *verdict, v *view, r *rule, f flow, now time.Duration) {
	if !f.open() && !f.opening() {
		if k := f.key(); s.seen[k].over == 0 {
			s.seen[k] = sighting{s.seen[k].first, now}
		}
		return
	}
	d.open[r.id]++
	if f.mark != s.p.marks.of(r.id, v.now[r.Group].Epoch) && !v.now[r.Group].Nobody() {
		d.old[r.id]++
	}
	if r.IdleTimeout == 0 || f.state != stateEstablished || f.left+time.Second > idleGrace(r.IdleTimeout) {
		return
	}
	s.idle[r.id]++
	d.open[r.id]--
	if r.ResetOnIdle {
		d.idle = append(d.idle, f)
		d.next = min(d.next, repeat)
	} else {
		d.forget = append(d.forget, f)
	}
}

// dying looks at a connection whose packets do not pass any more; still tells that none did since it was read.
func (s *sweeper) dying(d *verdict, r *rule, f flow, now time.Duration, still bool) {
	k := f.key()
	e, told := s.ending[k]
	begin := func() {
		s.ending[k] = &ending{again: now + repeat}
		d.next = min(d.next, repeat)
	}
	switch {
	case f.opening() && !still:
		// The answer may have passed since, and then the client has to be told.
		d.next = min(d.next, repeat)
	case f.opening():
		// Nothing was said on it yet. Its next SYN finds its way to the new machine.
		d.forget = append(d.forget, f)
	case s.seen[k].over > 0 && s.seen[k].over < r.endOf(f.mark):
		d.leave(r, f) // it was over before, and nobody has cut it
	case told && e.again > 0 && now >= e.again:
		e.again = 0
		d.again = append(d.again, f)
		d.next = min(d.next, linger)
	case told && e.again > 0:
		d.next = min(d.next, e.again-now) // whoever looks meanwhile does not take its second chance away
	case told && now >= e.end:
		d.leave(r, f)
	case told:
		d.next = min(d.next, e.end-now)
	case f.mark == s.p.marks.dead(r.id): // counted when it was condemned
		begin()
	case f.open() || f.state == stateClose && f.left+now-r.endOf(f.mark) > closeTimeout-2*time.Second:
		// The second: an end has spoken since the cut, and its reset has closed the connection already. The kernel's
		// seconds are whole, so one that closed just before, and that nobody saw closed, is taken for cut.
		d.cut = append(d.cut, f)
		s.cut[r.id]++
		begin()
	default:
		d.leave(r, f) // it was over before
	}
}

// leave is for one that is over for us. Where it is closed the kernel forgets it by itself, in seconds (its timeouts of
// CLOSE and TIME_WAIT), and does so in favour of a SYN that comes from the same client meanwhile: that younger connection
// may have the place and the id of the older one, so to remove that by hand is a risk for nothing. Only a rule that is
// gone does not wait for them.
func (d *verdict) leave(r *rule, f flow) {
	if f.open() || r.gone {
		d.forget = append(d.forget, f)
	}
}

// cut tells whether a mark of a rule had been cut when the view was made.
func (v *view) cut(id uint8, mark uint32) bool {
	r := v.rules[id]
	if r == nil {
		return false
	}
	_, alive := r.live[mark]
	return !alive
}

// settled is how long after a cut a packet that was within the kernel at that moment may still leave an entry behind.
const settled = time.Second

// latestEnd is when a mark was cut last; long ago, if none was.
func (r *rule) latestEnd() time.Duration {
	latest := -settled
	for _, t := range r.terms {
		if t.ended > 0 {
			latest = max(latest, t.ended)
		}
	}
	return latest
}

// endOf is when a mark was cut, by a clock that was read before; 0 where that is not known.
func (r *rule) endOf(mark uint32) time.Duration {
	for _, t := range r.terms {
		if t.mark == mark {
			return t.ended
		}
	}
	return 0
}
