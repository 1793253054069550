-- +goose Up

-- What an account gave is found by its consents and authorizations_by_application. An
-- approval has an index less to write.
drop index authorizations_by_account;

-- +goose Down

create index authorizations_by_account
  on authorizations (account_id)
  where grant_type = 'authorization_code';
