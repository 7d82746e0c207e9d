CREATE TABLE gateway_alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT gateway_alembic_version_pkc PRIMARY KEY (version_num)
);

INSERT INTO "gateway_alembic_version" VALUES('0004');

CREATE TABLE generation (
	id INTEGER NOT NULL, 
	value BIGINT NOT NULL, 
	CONSTRAINT pk_generation PRIMARY KEY (id), 
	CONSTRAINT ck_generation_one_row CHECK (id = 1)
);

INSERT INTO "generation" VALUES(1,1);

CREATE TABLE keys (
	id CHAR(32) NOT NULL, 
	name TEXT NOT NULL, 
	user_id CHAR(32), 
	scopes JSON NOT NULL, 
	digest BLOB NOT NULL, 
	prefix TEXT NOT NULL, 
	created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, 
	expires_at DATETIME, 
	revoked_at DATETIME, limits JSON DEFAULT '{}' NOT NULL, "detach" BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_keys PRIMARY KEY (id), 
	CONSTRAINT ck_keys_name_length CHECK (length(name) <= 100), 
	CONSTRAINT uq_keys_digest UNIQUE (digest)
);

CREATE TABLE models (
	id CHAR(32) NOT NULL, 
	user_id CHAR(32), 
	folder_id CHAR(32), 
	created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, 
	updated_at DATETIME, 
	sharing TEXT DEFAULT 'private' NOT NULL, 
	name TEXT NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	model_id TEXT NOT NULL, 
	base_url TEXT NOT NULL, 
	api_key TEXT, 
	context_length INTEGER DEFAULT '4096' NOT NULL, 
	provider TEXT DEFAULT 'openai' NOT NULL, 
	enabled BOOLEAN DEFAULT 1 NOT NULL, 
	parameters JSON DEFAULT '{}' NOT NULL, 
	quirks JSON DEFAULT '{}' NOT NULL, 
	timeouts JSON DEFAULT '{}' NOT NULL, 
	headers TEXT, 
	prices JSON DEFAULT '{}' NOT NULL, 
	capabilities JSON DEFAULT '[]' NOT NULL, 
	CONSTRAINT pk_models PRIMARY KEY (id), 
	CONSTRAINT ck_models_name_length CHECK (length(name) <= 100), 
	CONSTRAINT ck_models_description_length CHECK (length(description) <= 500), 
	CONSTRAINT ck_models_model_id_length CHECK (length(model_id) <= 1000), 
	CONSTRAINT ck_models_base_url_length CHECK (length(base_url) <= 1000), 
	CONSTRAINT ck_models_provider_length CHECK (length(provider) <= 100)
);

CREATE TABLE routes (
	id CHAR(32) NOT NULL, 
	user_id CHAR(32), 
	created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, 
	updated_at DATETIME, 
	sharing TEXT DEFAULT 'private' NOT NULL, 
	name TEXT NOT NULL, 
	strategy TEXT DEFAULT 'ordered' NOT NULL, 
	targets JSON NOT NULL, 
	options JSON DEFAULT '{}' NOT NULL, 
	enabled BOOLEAN DEFAULT 1 NOT NULL, 
	CONSTRAINT pk_routes PRIMARY KEY (id), 
	CONSTRAINT ck_routes_name_length CHECK (length(name) <= 100), 
	CONSTRAINT ck_routes_strategy_length CHECK (length(strategy) <= 100)
);

CREATE TABLE secrets (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_secrets PRIMARY KEY (name)
);

CREATE TABLE usage (
	attempt_id TEXT NOT NULL, 
	exchange_id TEXT NOT NULL, 
	started_at DATETIME NOT NULL, 
	principal_id TEXT NOT NULL, 
	user_id TEXT, 
	route TEXT NOT NULL, 
	model_id TEXT NOT NULL, 
	model_name TEXT NOT NULL, 
	provider TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	duration FLOAT NOT NULL, 
	first_content FLOAT, 
	outcome TEXT NOT NULL, 
	status INTEGER, 
	error_code TEXT, 
	provenance TEXT NOT NULL, 
	input_tokens BIGINT, 
	output_tokens BIGINT, 
	cache_read_tokens BIGINT, 
	cache_write_tokens BIGINT, 
	reasoning_tokens BIGINT, 
	deltas INTEGER NOT NULL, 
	finish_reason TEXT, 
	cost FLOAT, 
	CONSTRAINT pk_usage PRIMARY KEY (attempt_id)
);

CREATE INDEX ix_models_user_id ON models (user_id);

CREATE INDEX ix_keys_user_id ON keys (user_id);

CREATE TRIGGER models_insert_counted AFTER insert ON models BEGIN UPDATE generation SET value = value + 1 WHERE id = 1; END;

CREATE TRIGGER models_update_counted AFTER update ON models BEGIN UPDATE generation SET value = value + 1 WHERE id = 1; END;

CREATE TRIGGER models_delete_counted AFTER delete ON models BEGIN UPDATE generation SET value = value + 1 WHERE id = 1; END;

CREATE TRIGGER keys_insert_counted AFTER insert ON keys BEGIN UPDATE generation SET value = value + 1 WHERE id = 1; END;

CREATE TRIGGER keys_update_counted AFTER update ON keys BEGIN UPDATE generation SET value = value + 1 WHERE id = 1; END;

CREATE TRIGGER keys_delete_counted AFTER delete ON keys BEGIN UPDATE generation SET value = value + 1 WHERE id = 1; END;

CREATE INDEX ix_routes_user_id ON routes (user_id);

CREATE TRIGGER routes_insert_counted AFTER insert ON routes BEGIN UPDATE generation SET value = value + 1 WHERE id = 1; END;

CREATE TRIGGER routes_update_counted AFTER update ON routes BEGIN UPDATE generation SET value = value + 1 WHERE id = 1; END;

CREATE TRIGGER routes_delete_counted AFTER delete ON routes BEGIN UPDATE generation SET value = value + 1 WHERE id = 1; END;

CREATE INDEX ix_usage_started_at ON usage (started_at);
