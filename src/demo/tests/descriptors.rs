//! The embedded descriptor set holds what a gateway needs of it.

use prost_reflect::{DescriptorPool, MethodDescriptor, Value};

use super::super::{DESCRIPTORS, TRY, TRY_AT, commands, gateway_toml};

const PACKAGE: &str = "transom.demo.v1.";

fn pool() -> DescriptorPool {
    DescriptorPool::decode(DESCRIPTORS).unwrap()
}

/// The HTTP rule of a method, if the bytes still have it.
fn rule(pool: &DescriptorPool, method: &MethodDescriptor) -> Option<Value> {
    let http = pool.get_extension_by_name("google.api.http")?;
    let options = method.options();
    options.has_extension(&http).then(|| options.get_extension(&http).into_owned())
}

#[test]
fn every_method_has_its_http_rule() {
    let pool = pool();
    let mut methods = 0;
    for service in pool.services().filter(|service| service.full_name().starts_with(PACKAGE)) {
        for method in service.methods() {
            assert!(rule(&pool, &method).is_some(), "{}", method.full_name());
            methods += 1;
        }
    }
    assert_eq!(methods, 20);
}

#[test]
fn rules_keep_their_bindings_bodies_and_response_bodies() {
    let pool = pool();
    let text = |service: &str, method: &str| {
        let service = pool.get_service_by_name(&format!("{PACKAGE}{service}")).unwrap();
        let method = service.methods().find(|it| it.name() == method).unwrap();
        let Some(Value::Message(rule)) = rule(&pool, &method) else { panic!("no rule") };
        rule.to_text_format()
    };
    assert_eq!(text("Bookshop", "ListShelves"), r#"get:"/v1/shelves",response_body:"shelves""#);
    assert_eq!(
        text("Import", "ImportBooks"),
        r#"post:"/v1/{parent=shelves/*}/books:import",body:"book",additional_bindings:[{post:"/v1/imports",body:"*"}]"#
    );
}

#[test]
fn comments_and_error_details_are_there() {
    let pool = pool();
    let service = pool.get_service_by_name("transom.demo.v1.Ticker").unwrap();
    let info = service.parent_file_descriptor_proto().source_code_info.clone().unwrap();
    assert!(
        info.location.iter().any(|location| location.leading_comments().starts_with(" Sales as they happen"))
    );
    assert!(pool.get_message_by_name("google.rpc.ErrorInfo").is_some());
    assert!(pool.get_message_by_name("google.rpc.Status").is_some());
}

#[test]
fn the_configuration_names_both_addresses() {
    let toml = gateway_toml("127.0.0.1:4000".parse().unwrap(), "[::1]:8081".parse().unwrap());
    let read = ::config::File::from_str(&toml, ::config::FileFormat::Toml);
    let document = ::config::Config::builder().add_source(read).build().unwrap();
    assert_eq!(document.get_string("server.listen").unwrap(), "[::1]:8081");
    assert_eq!(document.get_string("upstreams.demo.endpoints[0]").unwrap(), "http://127.0.0.1:4000");
}

#[test]
fn every_command_is_for_the_address_it_is_asked_for() {
    assert!(TRY.iter().all(|command| command.contains(TRY_AT)));
    assert!(commands("[::1]:8081".parse().unwrap()).all(|command| command.contains("http://[::1]:8081/v1/")));
}
