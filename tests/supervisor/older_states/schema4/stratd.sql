BEGIN TRANSACTION;
CREATE TABLE deaths (
	number INTEGER NOT NULL, 
	deployment_id VARCHAR(64) NOT NULL, 
	generation BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	cause VARCHAR(32) NOT NULL, 
	detail TEXT NOT NULL, 
	exit_code INTEGER, 
	signal INTEGER, 
	stack TEXT NOT NULL, 
	log_tail JSON NOT NULL, 
	peak_memory BIGINT NOT NULL, 
	uptime FLOAT, 
	last_event TEXT NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "deaths" VALUES(1,'idle-one',1,1795274574996130771,'operator','exit: stopped',0,NULL,'','[]',29970432,3.95112192200031131505e+00,'cleanup');
INSERT INTO "deaths" VALUES(2,'buyer',1,1795274577166743800,'signal','SIGKILL while on_tick ran or was the last to run',NULL,9,'','[]',30081024,6.22022853299859,'on_tick');
INSERT INTO "deaths" VALUES(3,'buyer',2,1795274577797738481,'shutdown','the daemon stops (exit: stopped)',0,NULL,'','[]',30117888,6.08471879000717308372e-01,'cleanup');
CREATE TABLE deployments (
	id VARCHAR(64) NOT NULL, 
	strategy VARCHAR(200) NOT NULL, 
	version VARCHAR(64) NOT NULL, 
	account VARCHAR(64) NOT NULL, 
	mode VARCHAR(16) NOT NULL, 
	symbols JSON NOT NULL, 
	timeframes JSON NOT NULL, 
	parameters JSON NOT NULL, 
	risk JSON NOT NULL, 
	memory BIGINT NOT NULL, 
	cpu FLOAT NOT NULL, 
	trusted_path VARCHAR(4096) DEFAULT '' NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	wanted VARCHAR(16) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	generation BIGINT NOT NULL, 
	restarts BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	begun BIGINT DEFAULT '0' NOT NULL, 
	suspended VARCHAR(64) DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "deployments" VALUES('buyer','buyer','1.0.0','default','paper','["EURUSD"]','["1m"]','{}','{}',268435456,0.5,'',1795274570915918011,1795274570915918011,'running','stopped',2,1,'','',1,'');
INSERT INTO "deployments" VALUES('idle-one','idle','1.0.0','default','paper','["EURUSD"]','["1m"]','{}','{}',268435456,0.5,'',1795274571014563149,1795274571014563149,'stopped','stopped',1,0,'','',1,'');
CREATE TABLE events (
	seq BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	deployment_id VARCHAR(64) NOT NULL, 
	generation BIGINT NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (seq)
);
INSERT INTO "events" VALUES(1,1795274568693985375,'daemon_started','',0,'pid 12965');
INSERT INTO "events" VALUES(2,1795274568709739682,'group_left','',0,'first.1: killed what a daemon that died left in it');
INSERT INTO "events" VALUES(3,1795274568710083064,'quotas','',0,'control groups: version 1 (memory, cpu, pids)');
INSERT INTO "events" VALUES(4,1795274568710141471,'sandbox','',0,'setting root, every layer');
INSERT INTO "events" VALUES(5,1795274568762503509,'strategy_added','',0,'buyer@1.0.0');
INSERT INTO "events" VALUES(6,1795274568762648475,'strategy_added','',0,'idle@1.0.0');
INSERT INTO "events" VALUES(7,1795274568762668775,'strategy_added','',0,'moving_average_crossover@1.0.0');
INSERT INTO "events" VALUES(8,1795274570033866992,'zygote_ready','',0,'awake after 1.32 s');
INSERT INTO "events" VALUES(9,1795274570131007466,'engine_ready','',0,'journal at 0');
INSERT INTO "events" VALUES(10,1795274570938115509,'created','buyer',0,'buyer@1.0.0');
INSERT INTO "events" VALUES(11,1795274570946287968,'starting','buyer',1,'');
INSERT INTO "events" VALUES(12,1795274570970458718,'warming','buyer',1,'');
INSERT INTO "events" VALUES(13,1795274571001931419,'running','buyer',1,'');
INSERT INTO "events" VALUES(14,1795274571041294619,'created','idle-one',0,'idle@1.0.0');
INSERT INTO "events" VALUES(15,1795274571044844353,'starting','idle-one',1,'');
INSERT INTO "events" VALUES(16,1795274571060076442,'warming','idle-one',1,'');
INSERT INTO "events" VALUES(17,1795274571135158526,'feed_disconnected','',0,'feed main: nothing usable received yet');
INSERT INTO "events" VALUES(18,1795274571160047738,'running','idle-one',1,'');
INSERT INTO "events" VALUES(19,1795274571182336281,'feed_healthy','',0,'feed main: no heartbeats, silence is noticed after 60 s');
INSERT INTO "events" VALUES(20,1795274574982423437,'stopping','idle-one',1,'');
INSERT INTO "events" VALUES(21,1795274575014559577,'died','idle-one',1,'operator: exit: stopped');
INSERT INTO "events" VALUES(22,1795274575014765805,'stopped','idle-one',1,'');
INSERT INTO "events" VALUES(23,1795274577178165736,'died','buyer',1,'signal: SIGKILL while on_tick ran or was the last to run');
INSERT INTO "events" VALUES(24,1795274577178323611,'backoff','buyer',1,'signal: SIGKILL while on_tick ran or was the last to run');
INSERT INTO "events" VALUES(25,1795274577188641390,'starting','buyer',2,'');
INSERT INTO "events" VALUES(26,1795274577207877050,'warming','buyer',2,'');
INSERT INTO "events" VALUES(27,1795274577236650224,'running','buyer',2,'');
INSERT INTO "events" VALUES(28,1795274577240557903,'caught_up','buyer',2,'after 0.003 s');
INSERT INTO "events" VALUES(29,1795274577247850950,'feed_disconnected','',0,'feed main: the publisher at ipc:///srv/stratd-rpwvh3h4/feed-main has gone');
INSERT INTO "events" VALUES(30,1795274577785605625,'daemon_stopping','',0,'');
INSERT INTO "events" VALUES(31,1795274577786186321,'stopping','buyer',2,'the daemon stops');
INSERT INTO "events" VALUES(32,1795274577819669982,'died','buyer',2,'shutdown: the daemon stops (exit: stopped)');
INSERT INTO "events" VALUES(33,1795274577819874927,'stopped','buyer',2,'the daemon stops');
INSERT INTO "events" VALUES(34,1795274578003293620,'daemon_stopped','',0,'');
CREATE TABLE registered_paths (
	path VARCHAR(4096) NOT NULL, 
	PRIMARY KEY (path)
);
CREATE TABLE stratd_schema (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "stratd_schema" VALUES(4);
CREATE INDEX ix_deaths_deployment_id ON deaths (deployment_id);
CREATE INDEX ix_events_deployment_id ON events (deployment_id);
COMMIT;
PRAGMA user_version = 0;
PRAGMA application_id = 0;
