package zohosim

// The default organisation: standard modules with the fields an integration usually meets, one custom module
// (Vehicles), a subform (Service_Items) and a linking module (Deals_X_Products). Every data type simulated occurs.
// Accounts, Leads and Contacts carry a custom unique text field External_Key, usable as find_by.

func defaultModules() []Module {
	mods := []Module{
		leads(), contacts(), accounts(), deals(), tasks(), campaigns(), products(), vendors(), cases(),
		vehicles(), serviceItems(), dealProducts(),
		{APIName: "Notes", Generated: "default", Singular: "Note", Plural: "Notes", Display: "Note_Title", NoBulkRead: true, NoBulkWrite: true,
			Fields: []Field{text("Note_Title"), {APIName: "Note_Content", DataType: "textarea", Length: 32000}}},
		{APIName: "Functions__s", Generated: "default", Singular: "Function", Plural: "Functions", NoAPI: true, NotCreatable: true, NotEditable: true,
			NotDeletable: true, NoBulkRead: true, NoBulkWrite: true},
	}
	return mods
}

func text(name string) Field { return Field{APIName: name, DataType: "text"} }

func typed(name, dataType string) Field { return Field{APIName: name, DataType: dataType} }

func required(name, dataType string) Field {
	return Field{APIName: name, DataType: dataType, SystemMandatory: true}
}

func pick(name string, values ...string) Field {
	return Field{APIName: name, DataType: "picklist", Picklist: values}
}

func ref(name, module string) Field { return Field{APIName: name, DataType: "lookup", Lookup: module} }

func custom(f Field) Field {
	f.Custom = true
	return f
}

func externalKey() Field {
	return Field{APIName: "External_Key", Label: "External Key", DataType: "text", Length: 120, Unique: true, CaseSensitive: true, Custom: true}
}

func description() Field { return Field{APIName: "Description", DataType: "textarea", Length: 32000} }

var leadSources = []string{"-None-", "Advertisement", "Cold Call", "Employee Referral", "Online Store", "Partner", "Trade Show", "Web Research", "Chat"}

var industries = []string{"-None-", "ASP (Application Service Provider)", "Data/Telecom OEM", "Education", "Government/Military", "Large Enterprise",
	"Management ISV", "Non-Profit", "Small/Medium Enterprise", "Storage Equipment", "Systems Integrator"}

func leads() Module {
	return Module{APIName: "Leads", Generated: "default", Singular: "Lead", Plural: "Leads", Display: "Last_Name", Fields: []Field{
		pick("Salutation", "-None-", "Mr.", "Mrs.", "Ms.", "Dr.", "Prof."), {APIName: "First_Name", DataType: "text", Length: 40},
		{APIName: "Last_Name", DataType: "text", Length: 80, SystemMandatory: true},
		{APIName: "Company", DataType: "text", Length: 200, LayoutMandatory: true}, {APIName: "Designation", Label: "Title", DataType: "text", Length: 100},
		{APIName: "Email", DataType: "email", Unique: true}, typed("Secondary_Email", "email"), typed("Phone", "phone"), typed("Mobile", "phone"),
		typed("Website", "website"), pick("Lead_Source", leadSources...),
		pick("Lead_Status", "-None-", "Attempted to Contact", "Contact in Future", "Contacted", "Junk Lead", "Lost Lead", "Not Contacted", "Pre-Qualified"),
		pick("Industry", industries...), typed("No_of_Employees", "integer"), typed("Annual_Revenue", "currency"),
		pick("Rating", "-None-", "Acquired", "Active", "Market Failed", "Project Cancelled", "Shut Down"), typed("Email_Opt_Out", "boolean"),
		text("Street"), text("City"), text("State"), {APIName: "Zip_Code", DataType: "text", Length: 30}, text("Country"), description(),
		custom(Field{APIName: "Languages_Known", DataType: "multiselectpicklist", Picklist: []string{"English", "German", "French", "Tamil", "Japanese", "Arabic"}}),
		custom(typed("Visit_Date", "date")), custom(typed("Last_Contacted", "datetime")), externalKey(), typed("Record_Image", "profileimage"),
	}}
}

func contacts() Module {
	return Module{APIName: "Contacts", Generated: "default", Singular: "Contact", Plural: "Contacts", Display: "Last_Name", Fields: []Field{
		pick("Salutation", "-None-", "Mr.", "Mrs.", "Ms.", "Dr.", "Prof."), {APIName: "First_Name", DataType: "text", Length: 40},
		{APIName: "Last_Name", DataType: "text", Length: 80, SystemMandatory: true}, ref("Account_Name", "Accounts"), ref("Reporting_To", "Contacts"),
		{APIName: "Email", DataType: "email", Unique: true}, typed("Phone", "phone"), typed("Mobile", "phone"), typed("Date_of_Birth", "date"),
		{APIName: "Title", DataType: "text", Length: 100}, {APIName: "Department", DataType: "text", Length: 50}, pick("Lead_Source", leadSources...),
		typed("Email_Opt_Out", "boolean"), text("Mailing_Street"), text("Mailing_City"), text("Mailing_State"),
		{APIName: "Mailing_Zip", DataType: "text", Length: 30}, text("Mailing_Country"), description(),
		custom(Field{APIName: "Interests", DataType: "multiselectpicklist", Picklist: []string{"Data", "Events", "Newsletter", "Partnership"}}),
		custom(Field{APIName: "Score", DataType: "double", DecimalPlace: 3}), custom(typed("Last_Contacted", "datetime")),
		custom(Field{APIName: "Tax_Number", DataType: "text", Encrypted: true}), externalKey(),
	}}
}

func accounts() Module {
	return Module{APIName: "Accounts", Generated: "default", Singular: "Account", Plural: "Accounts", Display: "Account_Name", Fields: []Field{
		{APIName: "Account_Name", DataType: "text", Length: 200, SystemMandatory: true}, {APIName: "Account_Number", DataType: "bigint"},
		ref("Parent_Account", "Accounts"), typed("Phone", "phone"), typed("Website", "website"),
		pick("Account_Type", "-None-", "Analyst", "Competitor", "Customer", "Distributor", "Investor", "Partner", "Prospect", "Supplier"),
		pick("Industry", industries...), typed("Employees", "integer"), typed("Annual_Revenue", "currency"),
		pick("Ownership", "-None-", "Other", "Private", "Public", "Subsidiary", "Government"),
		text("Billing_Street"), text("Billing_City"), text("Billing_State"), {APIName: "Billing_Code", DataType: "text", Length: 30}, text("Billing_Country"),
		description(), externalKey(), custom(typed("Is_Key_Account", "boolean")), custom(typed("Founded_On", "date")),
		custom(typed("Last_Audit", "datetime")), custom(typed("Discount", "percent")),
		custom(Field{APIName: "Markets", DataType: "multiselectpicklist", Picklist: []string{"EMEA", "APAC", "AMER", "LATAM"}}),
		custom(Field{APIName: "Revenue_per_Employee", DataType: "formula", Expression: "Annual_Revenue*Employees"}),
		custom(Field{APIName: "Account_Manager", DataType: "userlookup"}),
		custom(Field{APIName: "Customer_No", DataType: "autonumber", Prefix: "ACC-"}),
		custom(Field{APIName: "Contract", DataType: "fileupload"}),
		custom(Field{APIName: "Service_Items", DataType: "subform", Linking: "Service_Items"}),
	}}
}

func deals() Module {
	return Module{APIName: "Deals", Generated: "default", Singular: "Deal", Plural: "Deals", Display: "Deal_Name", Fields: []Field{
		{APIName: "Deal_Name", DataType: "text", Length: 120, SystemMandatory: true},
		{APIName: "Account_Name", DataType: "lookup", Lookup: "Accounts", LayoutMandatory: true}, ref("Contact_Name", "Contacts"), ref("Campaign_Source", "Campaigns"),
		{APIName: "Stage", DataType: "picklist", SystemMandatory: true, FixedPicklist: true, Picklist: []string{"Qualification", "Needs Analysis",
			"Value Proposition", "Identify Decision Makers", "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost"}},
		typed("Amount", "currency"), typed("Probability", "integer"), typed("Closing_Date", "date"), pick("Lead_Source", leadSources...),
		pick("Type", "-None-", "Existing Business", "New Business"), text("Next_Step"), description(),
		{APIName: "Expected_Revenue", DataType: "formula", Expression: "Amount*Probability"},
		custom(Field{APIName: "Order_Number", DataType: "bigint", Unique: true}),
		custom(Field{APIName: "Interested_Products", DataType: "multiselectlookup", Lookup: "Products", Linking: "Deals_X_Products"}),
	}}
}

func tasks() Module {
	return Module{APIName: "Tasks", Generated: "default", Singular: "Task", Plural: "Tasks", Display: "Subject", Fields: []Field{
		required("Subject", "text"), typed("Due_Date", "date"), ref("Who_Id", "Contacts"),
		pick("Status", "Not Started", "Deferred", "In Progress", "Completed", "Waiting for input"), pick("Priority", "High", "Highest", "Low", "Lowest", "Normal"),
		typed("Remind_At", "datetime"), description(),
	}}
}

func campaigns() Module {
	return Module{APIName: "Campaigns", Generated: "default", Singular: "Campaign", Plural: "Campaigns", Display: "Campaign_Name", Fields: []Field{
		required("Campaign_Name", "text"), pick("Type", "-None-", "Conference", "Webinar", "Trade Show", "Email", "Telemarketing"),
		pick("Status", "-None-", "Planning", "Active", "Inactive", "Complete"), typed("Start_Date", "date"), typed("End_Date", "date"),
		typed("Budgeted_Cost", "currency"), typed("Expected_Response", "bigint"), description(),
	}}
}

func products() Module {
	return Module{APIName: "Products", Generated: "default", Singular: "Product", Plural: "Products", Display: "Product_Name", Fields: []Field{
		required("Product_Name", "text"), {APIName: "Product_Code", DataType: "text", Unique: true}, ref("Vendor_Name", "Vendors"),
		typed("Product_Active", "boolean"), typed("Unit_Price", "currency"), typed("Qty_in_Stock", "double"), description(),
	}}
}

func vendors() Module {
	return Module{APIName: "Vendors", Generated: "default", Singular: "Vendor", Plural: "Vendors", Display: "Vendor_Name", Fields: []Field{
		required("Vendor_Name", "text"), typed("Email", "email"), typed("Phone", "phone"), typed("Website", "website"), description(),
	}}
}

func cases() Module {
	return Module{APIName: "Cases", Generated: "default", Singular: "Case", Plural: "Cases", Display: "Subject", Fields: []Field{
		required("Subject", "text"), {APIName: "Case_Origin", DataType: "picklist", SystemMandatory: true, Picklist: []string{"Email", "Phone", "Web"}},
		{APIName: "Status", DataType: "picklist", SystemMandatory: true, Picklist: []string{"New", "On Hold", "Escalated", "Closed"}},
		ref("Account_Name", "Accounts"), {APIName: "Case_Number", DataType: "autonumber"}, description(),
	}}
}

func vehicles() Module {
	return Module{APIName: "Vehicles", ModuleName: "CustomModule3", Generated: "custom", Singular: "Vehicle", Plural: "Vehicles", Fields: []Field{
		required("Name", "text"), custom(Field{APIName: "VIN", DataType: "text", Length: 17, Unique: true}), custom(ref("Account", "Accounts")),
		custom(pick("Fuel", "Petrol", "Diesel", "Electric", "Hybrid")), custom(typed("Mileage", "integer")), custom(typed("Price", "currency")),
		custom(typed("First_Registration", "date")), custom(typed("Last_Service", "datetime")), custom(typed("Leased", "boolean")),
		custom(Field{APIName: "Serial", DataType: "autonumber", Prefix: "V-"}),
	}}
}

func serviceItems() Module {
	return Module{APIName: "Service_Items", Generated: "subform", Singular: "Service Items", Plural: "Service Items", Fields: []Field{
		ref("Parent_Id", "Accounts"), custom(text("Item")), custom(typed("Quantity", "integer")), custom(typed("Price", "currency")),
		custom(Field{APIName: "Total", DataType: "formula", Expression: "Quantity*Price"}),
	}}
}

func dealProducts() Module {
	return Module{APIName: "Deals_X_Products", Generated: "linking", Singular: "Deals X Products", Plural: "Deals X Products", Fields: []Field{
		ref("Deals", "Deals"), ref("Interested_Products", "Products"),
	}}
}
