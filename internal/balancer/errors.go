package balancer

import "errors"

// ErrOldEpoch refuses a target whose epoch is lower than one that was steered to before.
var ErrOldEpoch = errors.New("the epoch is lower than one that was obeyed before")
