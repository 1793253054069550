-- +goose Up

-- Authorizations at which the sweeper looks before their sweep_after: their code was
-- given out and may never be redeemed, or they were revoked. To write it down here
-- leaves their row, and its indexes, in place.
create table early_sweeps (
  after integer not null, -- Unix milliseconds
  id    blob    not null,
  primary key (after, id)
) strict, without rowid;

-- +goose Down

drop table early_sweeps;
