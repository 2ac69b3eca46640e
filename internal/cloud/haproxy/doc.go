// Package haproxy writes down, as a configuration of HAProxy, what hotcold.conf says of machines, probes and rules.
//
// It only renders. What HAProxy cannot do stands in the rendered file as comments, where the person reads it who will
// be called at night: it knows no epoch, it cannot keep clients waiting while nobody is hot, and it watches no
// connection that survived a reload.
//
// What the rendering rests on: the manual of HAProxy 2.6, whose keywords are all that is used but for init-state
// (3.1), which stands behind a condition that older versions understand from 2.4 on.
package haproxy
