// Package notice has what agents and operators put up on the board: what an
// agent says of itself ([Instance]), the history of a lease ([Event]), and what
// an operator asks for ([Request]).
//
// It keeps nothing and decides nothing. The stores (packages sqlstore and
// etcdstore) keep these values beside the lease, and the agent knows what the
// documents in them mean. They have a package of their own so that the stores
// need not know each other.
//
// # Times
//
// All times and ages are for people, and for judging how old a word is; whose
// clock they are by is said by the store. No decision of the lease is made from
// them.
package notice
