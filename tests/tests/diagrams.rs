//! ARCHITECTURE.md draws the tables that the migrations make, in both databases.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use onhand_tests::place;

/// The tables that the host keeps in the database of every service with entities: drawn once.
const HOST: &str = "host";

type Tables = BTreeMap<String, Vec<Column>>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    kind: String,
    name: String,
    key: bool,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key { " PK" } else { "" };
        write!(f, "{} {}{key}", self.kind, self.name)
    }
}

#[test]
fn the_diagrams_show_the_tables_that_the_migrations_make() {
    let drawn = drawn();
    let host = &drawn[HOST];
    for service in services() {
        for dialect in ["sqlite", "postgres"] {
            let mut made = made(&service, dialect);
            for (name, columns) in host {
                if let Some(made) = made.remove(name) {
                    agree(&service, dialect, name, &made, columns);
                }
            }
            let nothing = Tables::new();
            let own = match service.as_str() {
                HOST => &nothing,
                service => drawn.get(service).unwrap_or(&nothing),
            };
            for (name, made) in &made {
                let columns = own.get(name).map_or(&[][..], Vec::as_slice);
                agree(&service, dialect, name, made, columns);
            }
            for name in own.keys() {
                assert!(
                    made.contains_key(name),
                    "{service}: {name} is drawn, and no migration for {dialect} makes it"
                );
            }
        }
    }
    for service in drawn.keys().filter(|service| *service != HOST) {
        assert!(
            services().contains(service),
            "{service} is drawn, and has no migrations"
        );
    }
}

#[test]
fn what_the_host_keeps_is_made_somewhere() {
    for (name, columns) in &drawn()[HOST] {
        let somewhere = services().iter().any(|service| {
            made(service, "sqlite")
                .get(name)
                .is_some_and(|made| made.len() == columns.len())
        });
        assert!(somewhere, "{name} is drawn, and no migration makes it");
    }
}

#[test]
fn a_migration_is_read_as_a_database_reads_it() {
    let sql = "
        -- A comment; with a semicolon.
        CREATE TABLE thing (
            id    TEXT NOT NULL, -- the first, (in brackets)
            line  BIGINT NOT NULL CHECK (line IN (1, 2)),
            owing BOOLEAN,
            PRIMARY KEY (id, line)
        ) STRICT;
        CREATE UNIQUE INDEX thing_line ON thing (line);
        ALTER TABLE thing ADD COLUMN note TEXT;
        CREATE TABLE other (id INTEGER NOT NULL PRIMARY KEY);
        CREATE TABLE short_lived (id TEXT);
        DROP TABLE short_lived;";
    let mut tables = Tables::new();
    read(sql, &mut tables);
    let shown =
        |name: &str| -> Vec<String> { tables[name].iter().map(ToString::to_string).collect() };
    assert_eq!(
        shown("thing"),
        [
            "text id PK",
            "integer line PK",
            "boolean owing",
            "text note"
        ]
    );
    assert_eq!(shown("other"), ["integer id PK"]);
    assert!(!tables.contains_key("short_lived"));
}

/// SQLite has no truth values: they are integers there.
fn agree(service: &str, dialect: &str, table: &str, made: &[Column], drawn: &[Column]) {
    let same = made.len() == drawn.len()
        && made.iter().zip(drawn).all(|(made, drawn)| {
            let kind = made.kind == drawn.kind
                || (dialect == "sqlite" && made.kind == "integer" && drawn.kind == "boolean");
            kind && made.name == drawn.name && made.key == drawn.key
        });
    let wanted: Vec<String> = made
        .iter()
        .map(|column| format!("        {column}"))
        .collect();
    assert!(
        same,
        "ARCHITECTURE.md does not draw {table} of {service} as it is made in {dialect}; below `%% {service}` it is\n    {table} {{\n{}\n    }}",
        wanted.join("\n")
    );
}

/// The diagrams by the service that they name in their first line.
fn drawn() -> BTreeMap<String, Tables> {
    let text = fs::read_to_string(place::project().join("ARCHITECTURE.md")).expect("a page");
    let mut drawn = BTreeMap::new();
    for block in text.split("```mermaid\nerDiagram\n").skip(1) {
        let block = block.split("```").next().expect("a part");
        let mut lines = block.lines().map(str::trim);
        let service = lines
            .next()
            .and_then(|line| line.strip_prefix("%% "))
            .expect("a diagram says whose it is in its first line");
        let mut tables = Tables::new();
        let mut table: Option<String> = None;
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            match (&table, &words[..]) {
                (None, [name, "{"]) => {
                    tables.insert((*name).to_owned(), Vec::new());
                    table = Some((*name).to_owned());
                }
                (Some(_), ["}"]) => table = None,
                (Some(table), [kind, name, rest @ ..]) => {
                    let column = Column {
                        kind: (*kind).to_owned(),
                        name: (*name).to_owned(),
                        key: rest.first() == Some(&"PK"),
                    };
                    tables.get_mut(table).expect("just made").push(column);
                }
                // A line between two tables says what they have to do with each other.
                _ => {}
            }
        }
        drawn.insert(service.to_owned(), tables);
    }
    drawn
}

fn services() -> Vec<String> {
    let folder = place::project().join("migrations");
    let mut services: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    services.sort();
    services
}

/// The tables that a service's migrations make.
fn made(service: &str, dialect: &str) -> Tables {
    let folder = place::project()
        .join("migrations")
        .join(service)
        .join(dialect);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|why| panic!("{}: {why}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension() == Some("sql".as_ref()))
        .collect();
    files.sort();
    let mut tables = Tables::new();
    for file in files {
        read(&text(&file), &mut tables);
    }
    tables
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

fn read(sql: &str, tables: &mut Tables) {
    let bare: Vec<&str> = sql
        .lines()
        .map(|line| line.split("--").next().expect("a part"))
        .collect();
    for statement in bare.join(" ").split(';') {
        let words: Vec<&str> = statement.split_whitespace().collect();
        match &words[..] {
            ["CREATE", "TABLE", name, ..] => {
                let name = name.split('(').next().expect("a part").to_owned();
                let (from, to) = (statement.find('('), statement.rfind(')'));
                let inside = &statement[from.expect("columns") + 1..to.expect("an end")];
                tables.insert(name, columns(inside));
            }
            ["ALTER", "TABLE", name, "ADD", "COLUMN", rest @ ..] => {
                let table = tables.get_mut(*name).expect("a table that was made before");
                table.extend(columns(&rest.join(" ")));
            }
            ["DROP", "TABLE", name] => {
                let dropped = tables.remove(*name);
                dropped.expect("a table that was made before");
            }
            ["DROP", "INDEX", ..] => {}
            ["ALTER" | "DROP", ..] => panic!("this test does not understand {statement}"),
            _ => {}
        }
    }
}

fn columns(inside: &str) -> Vec<Column> {
    let (mut columns, mut keys) = (Vec::<Column>::new(), Vec::new());
    for part in parts(inside) {
        let words: Vec<&str> = part.split_whitespace().collect();
        match &words[..] {
            ["PRIMARY", ..] => keys.extend(
                part[part.find('(').expect("a key") + 1..]
                    .trim_end_matches(')')
                    .split(',')
                    .map(|name| name.trim().to_owned()),
            ),
            ["CHECK" | "UNIQUE" | "CONSTRAINT" | "FOREIGN", ..] => {}
            [name, kind, ..] => columns.push(Column {
                kind: match *kind {
                    "TEXT" => "text".to_owned(),
                    "INTEGER" | "BIGINT" => "integer".to_owned(),
                    "BOOLEAN" => "boolean".to_owned(),
                    other => panic!("{name} is {other}"),
                },
                name: (*name).to_owned(),
                key: part.contains("PRIMARY KEY"),
            }),
            _ => panic!("no column: {part}"),
        }
    }
    for column in &mut columns {
        column.key |= keys.contains(&column.name);
    }
    columns
}

/// What commas outside brackets part.
fn parts(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("at least one").push(letter);
    }
    let trimmed = parts.into_iter().map(|part| part.trim().to_owned());
    trimmed.filter(|part| !part.is_empty()).collect()
}
