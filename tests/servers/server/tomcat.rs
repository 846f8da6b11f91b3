//! Tomcat with a private `CATALINA_BASE`, and its manager on a connector of its
//! own, so that it answers when the other has no thread left.

use std::process::Command;

use threadbare::model::GaugeSource;

use super::{Process, Server, directory, free_ports, page};

/// Where Debian's package puts what all instances share.
const HOME: &str = "/usr/share/tomcat10";
const MANAGER: &str = "/usr/share/tomcat10-admin/manager";

const USERS: &str = r#"<tomcat-users>
  <role rolename="manager-status"/>
  <user username="gauges" password="of-the-test" roles="manager-status"/>
</tomcat-users>"#;

const APPLICATION: &str = r#"<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="5.0">
  <servlet>
    <servlet-name>sleep</servlet-name>
    <jsp-file>/sleep.jsp</jsp-file>
  </servlet>
  <servlet>
    <servlet-name>dependency</servlet-name>
    <jsp-file>/dependency.jsp</jsp-file>
  </servlet>
  <servlet>
    <servlet-name>jsp</servlet-name>
    <servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class>
  </servlet>
  <servlet-mapping><servlet-name>sleep</servlet-name><url-pattern>/sleep</url-pattern></servlet-mapping>
  <servlet-mapping><servlet-name>dependency</servlet-name><url-pattern>/dependency</url-pattern></servlet-mapping>
  <servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>
</web-app>"#;

const SLEEP: &str = r#"<%@ page session="false" %><%
  Thread.sleep(Long.parseLong(request.getParameter("ms")));
  out.print("ok");
%>"#;

const DEPENDENCY: &str = r#"<%@ page session="false" %><%
  String url = "http://127.0.0.1:" + request.getParameter("port") + "/";
  new java.net.URL(url).openStream().readAllBytes();
  out.print("ok");
%>"#;

pub(crate) struct Tomcat {
    process: Process,
    manager: u16,
    threads: u32,
}

impl Tomcat {
    /// Starts it with so many threads.
    pub(crate) fn start(threads: u32) -> Self {
        let [port, manager] = free_ports();
        let server = format!(
            r#"<Server port="-1">
  <GlobalNamingResources>
    <Resource name="UserDatabase" auth="Container" type="org.apache.catalina.UserDatabase"
      factory="org.apache.catalina.users.MemoryUserDatabaseFactory" pathname="conf/tomcat-users.xml"/>
  </GlobalNamingResources>
  <Service name="Catalina">
    <Connector port="{port}" address="127.0.0.1" maxThreads="{threads}" minSpareThreads="1"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="webapps" autoDeploy="false"/>
    </Engine>
  </Service>
  <Service name="Manager">
    <Connector port="{manager}" address="127.0.0.1" maxThreads="2" minSpareThreads="1"/>
    <Engine name="Manager" defaultHost="localhost">
      <Realm className="org.apache.catalina.realm.UserDatabaseRealm" resourceName="UserDatabase"/>
      <Host name="localhost" appBase="none" autoDeploy="false">
        <Context path="/manager" docBase="{MANAGER}" privileged="true"/>
      </Host>
    </Engine>
  </Service>
</Server>"#
        );
        let directory = directory(&[
            ("conf/server.xml", server.as_str()),
            ("conf/tomcat-users.xml", USERS),
            ("webapps/ROOT/WEB-INF/web.xml", APPLICATION),
            ("webapps/ROOT/sleep.jsp", SLEEP),
            ("webapps/ROOT/dependency.jsp", DEPENDENCY),
            ("logs/.keep", ""),
            ("temp/.keep", ""),
            ("none/.keep", ""),
        ]);
        let base = directory.path().display().to_string();
        let mut command = Command::new("java");
        command.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.arg(format!("-Dcatalina.home={HOME}"));
        command.arg(format!("-Dcatalina.base={base}"));
        command.arg(format!("-Djava.io.tmpdir={base}/temp"));
        command.arg("-cp");
        command.arg(format!(
            "{HOME}/bin/bootstrap.jar:{HOME}/bin/tomcat-juli.jar"
        ));
        command.args(["org.apache.catalina.startup.Bootstrap", "start"]);
        Self {
            process: Process::start(command, directory, port, "/sleep?ms=0"),
            manager,
            threads,
        }
    }
}

impl Tomcat {
    /// The port of its manager.
    pub(crate) fn manager(&self) -> u16 {
        self.manager
    }
}

impl Server for Tomcat {
    fn process(&self) -> &Process {
        &self.process
    }

    fn workers(&self) -> u32 {
        self.threads
    }

    /// The manager's status, of the connector that serves the application.
    fn gauges(&self) -> Vec<GaugeSource> {
        let url = format!(
            "http://gauges:of-the-test@127.0.0.1:{}/manager/status?XML=true",
            self.manager
        );
        let mut source = page("tomcat", "tomcat", &url);
        let connector = format!(
            "{{connector=\"http-nio-127.0.0.1-{}\"}}",
            self.address().port()
        );
        source.roles.busy = format!("currentThreadsBusy{connector}").parse().ok();
        source.roles.workers = format!("maxThreads{connector}").parse().ok();
        source.roles.completed = format!("requestCount{connector}").parse().ok();
        vec![source]
    }
}
