-- Chains, salons, staff, tablets, API keys, members, sessions, one-time codes and the audit trail.
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE chain (
    chain_id        uuid        PRIMARY KEY,
    slug            text        NOT NULL,
    name            text        NOT NULL,
    plan            text        NOT NULL CHECK (plan IN ('partant', 'essentiel', 'pro')),
    sandbox         boolean     NOT NULL,
    home_time_zone  text        NOT NULL,
    currency        text        NOT NULL,
    language        text        NOT NULL CHECK (language IN ('fr', 'en')),
    brand_color     text        NOT NULL,
    logo_media_type text        NOT NULL DEFAULT '',
    logo_digest     text        NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    version         bigint      NOT NULL
);
CREATE UNIQUE INDEX chain_slug_idx ON chain (slug);

-- Apart from its chain, so that nobody reads an image who wants a name.
CREATE TABLE chain_logo (
    chain_id        uuid        PRIMARY KEY REFERENCES chain (chain_id),
    image           bytea       NOT NULL
);

CREATE TABLE salon (
    chain_id        uuid        NOT NULL REFERENCES chain (chain_id),
    id              uuid        NOT NULL,
    name            text        NOT NULL,
    time_zone       text        NOT NULL,
    address         text        NOT NULL,
    phone           text        NOT NULL,
    active          boolean     NOT NULL,
    created_at      timestamptz NOT NULL,
    version         bigint      NOT NULL,
    PRIMARY KEY (chain_id, id)
);

CREATE TABLE staff (
    chain_id        uuid        NOT NULL REFERENCES chain (chain_id),
    id              uuid        NOT NULL,
    email           text        NOT NULL,
    -- Case does not tell people apart.
    email_key       text        NOT NULL,
    name            text        NOT NULL,
    role            text        NOT NULL CHECK (role IN ('owner', 'manager', 'cashier')),
    active          boolean     NOT NULL,
    language        text        NOT NULL CHECK (language IN ('fr', 'en')),
    password_hash   text        NOT NULL,
    signed_in_at    timestamptz,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (chain_id, id)
);
-- Over the whole platform: she signs in without naming her chain.
CREATE UNIQUE INDEX staff_email_key_idx ON staff (email_key);

CREATE TABLE staff_session (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    staff_id        uuid        NOT NULL,
    token_digest    bytea       NOT NULL,
    created_at      timestamptz NOT NULL,
    last_seen_at    timestamptz NOT NULL,
    ended_at        timestamptz,
    PRIMARY KEY (chain_id, id),
    FOREIGN KEY (chain_id, staff_id) REFERENCES staff (chain_id, id)
);
CREATE UNIQUE INDEX staff_session_token_digest_idx ON staff_session (token_digest);
CREATE INDEX staff_session_chain_id_staff_id_idx ON staff_session (chain_id, staff_id)
    WHERE ended_at IS NULL;
CREATE INDEX staff_session_created_at_idx ON staff_session (created_at);

CREATE TABLE tablet (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    salon_id        uuid        NOT NULL,
    program_id      uuid        NOT NULL,
    name            text        NOT NULL,
    token_digest    bytea       NOT NULL,
    -- Owners read the tablet URL back: encrypted with a key that is not in the database.
    sealed_token    bytea       NOT NULL,
    created_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    PRIMARY KEY (chain_id, id),
    FOREIGN KEY (chain_id, salon_id) REFERENCES salon (chain_id, id)
);
CREATE UNIQUE INDEX tablet_token_digest_idx ON tablet (token_digest);

CREATE TABLE api_key (
    chain_id        uuid        NOT NULL REFERENCES chain (chain_id),
    id              uuid        NOT NULL,
    name            text        NOT NULL,
    hint            text        NOT NULL,
    scopes          text[]      NOT NULL,
    salon_ids       uuid[]      NOT NULL,
    token_digest    bytea       NOT NULL,
    created_at      timestamptz NOT NULL,
    last_used_at    timestamptz,
    revoked_at      timestamptz,
    PRIMARY KEY (chain_id, id)
);
CREATE UNIQUE INDEX api_key_token_digest_idx ON api_key (token_digest);

CREATE TABLE member (
    chain_id        uuid        NOT NULL REFERENCES chain (chain_id),
    id              uuid        NOT NULL,
    given_name      text        NOT NULL,
    family_name     text        NOT NULL,
    phone           text,
    email           text,
    email_key       text,
    birthday        text        NOT NULL,
    language        text        NOT NULL CHECK (language IN ('fr', 'en')),
    source          text        NOT NULL,
    registered_by   text        NOT NULL CHECK (registered_by IN ('sms', 'email')),
    phone_verified  boolean     NOT NULL,
    email_verified  boolean     NOT NULL,
    note            text        NOT NULL,
    reference_id    text        NOT NULL,
    salon_id        uuid,
    enrolled_at     timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    version         bigint      NOT NULL,
    -- Always the living member, never another merged one.
    merged_into     uuid,
    erased_at       timestamptz,
    -- What search and sorting look at; folded by us, so that the order needs no locale.
    name_key        text        COLLATE "C" NOT NULL,
    search_key      text        COLLATE "C" NOT NULL,
    phone_digits    text        COLLATE "C" NOT NULL,
    PRIMARY KEY (chain_id, id),
    FOREIGN KEY (chain_id, salon_id) REFERENCES salon (chain_id, id),
    CHECK (phone <> '' AND email <> '' AND (email IS NULL) = (email_key IS NULL)),
    CHECK (erased_at IS NOT NULL OR merged_into IS NOT NULL
           OR phone IS NOT NULL OR email IS NOT NULL)
);
-- One living member per phone and per e-mail address of a chain.
CREATE UNIQUE INDEX member_chain_id_phone_idx ON member (chain_id, phone)
    WHERE merged_into IS NULL AND erased_at IS NULL;
CREATE UNIQUE INDEX member_chain_id_email_key_idx ON member (chain_id, email_key)
    WHERE merged_into IS NULL AND erased_at IS NULL;
-- The old number of a merged member still finds the living one.
CREATE INDEX member_chain_id_merged_phone_idx ON member (chain_id, phone)
    WHERE merged_into IS NOT NULL;
CREATE INDEX member_chain_id_merged_email_key_idx ON member (chain_id, email_key)
    WHERE merged_into IS NOT NULL;
-- Lists by date, and carries what a search looks at: a part of a name in a hundred thousand members
-- is found by reading this index alone, from memory, without an extension.
CREATE INDEX member_chain_id_enrolled_at_idx ON member (chain_id, enrolled_at, id)
    INCLUDE (search_key, phone_digits)
    WHERE merged_into IS NULL AND erased_at IS NULL;
CREATE INDEX member_chain_id_name_key_idx ON member (chain_id, name_key, id)
    INCLUDE (search_key, phone_digits)
    WHERE merged_into IS NULL AND erased_at IS NULL;

CREATE TABLE member_session (
    chain_id        uuid        NOT NULL,
    id              uuid        NOT NULL,
    member_id       uuid        NOT NULL,
    token_digest    bytea       NOT NULL,
    -- Whether it has proven the phone or e-mail (D34).
    verified        boolean     NOT NULL,
    created_at      timestamptz NOT NULL,
    last_seen_at    timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    PRIMARY KEY (chain_id, id),
    FOREIGN KEY (chain_id, member_id) REFERENCES member (chain_id, id)
);
CREATE UNIQUE INDEX member_session_token_digest_idx ON member_session (token_digest);
CREATE INDEX member_session_chain_id_member_id_idx ON member_session (chain_id, member_id)
    WHERE ended_at IS NULL;
CREATE INDEX member_session_expires_at_idx ON member_session (expires_at);

CREATE TABLE code_challenge (
    chain_id        uuid        NOT NULL REFERENCES chain (chain_id),
    id              uuid        NOT NULL,
    -- NULL with an empty address: nobody here has that address, and no code is right.
    member_id       uuid,
    channel         text        NOT NULL CHECK (channel IN ('sms', 'email')),
    address         text        NOT NULL,
    -- Keyed: a million guesses would read a plain digest back.
    code_digest     bytea       NOT NULL,
    tries           integer     NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    PRIMARY KEY (chain_id, id)
);
CREATE INDEX code_challenge_chain_id_member_id_idx ON code_challenge (chain_id, member_id);
CREATE INDEX code_challenge_expires_at_idx ON code_challenge (expires_at);

-- Who did what to whom and when, by ids alone. Written with its effect, never changed.
CREATE TABLE audit_entry (
    chain_id        uuid        NOT NULL,
    id              bigint      GENERATED ALWAYS AS IDENTITY,
    actor_kind      text        NOT NULL,
    actor_id        text        NOT NULL,
    action          text        NOT NULL,
    subject_id      text        NOT NULL,
    detail          text        NOT NULL,
    request_id      text        NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, id)
);
CREATE INDEX audit_entry_chain_id_subject_id_idx ON audit_entry (chain_id, subject_id, id);
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'enrollment') THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON audit_entry FROM enrollment;
    END IF;
END
$$;
